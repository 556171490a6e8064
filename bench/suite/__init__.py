"""What scripts/bench is made of. Read plan.py first: it says what is measured, in which order."""
