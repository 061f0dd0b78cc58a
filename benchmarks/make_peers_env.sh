#!/bin/sh
# An environment for the programs that peers.py compares with, apart from ptycho_nb's own.
# Usage: sh make_peers_env.sh FOLDER
# Where a CPU build of torch is wanted, set PIP_EXTRA_INDEX_URL to PyTorch's CPU index first.
set -eu
folder=${1:?give the folder to make}
python3 -m venv "$folder"
"$folder/bin/pip" install --upgrade pip
"$folder/bin/pip" install torch==2.13.0 ptychi==2.2.0 cdtools-py==0.3.2 scikit-image
