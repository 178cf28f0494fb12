"""A run as it goes on: its report, served on this machine and built anew when the files of the run have changed."""
