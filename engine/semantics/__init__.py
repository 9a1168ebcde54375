"""What a motion is called: labels over time, and what compares motion with text."""
