"""What the HTML pages share: one frame with its policy, one style sheet, one way to print text and numbers."""
