"""What the lessons compute: experiments to design, ambiguities, failures and their cures, answers to check. No widgets."""
