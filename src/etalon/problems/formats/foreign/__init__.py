"""Words that other projects put around a question: taken off questions with an answer, and off tasks of programs."""
