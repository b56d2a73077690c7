"""What a data set holds and what is wrong with it: checks, statistics, repair, sheets."""
