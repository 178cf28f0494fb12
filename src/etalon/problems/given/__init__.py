"""What comes with a problem in the rows of others: responses, thoughts, programs, difficulty, columns nobody reads."""
