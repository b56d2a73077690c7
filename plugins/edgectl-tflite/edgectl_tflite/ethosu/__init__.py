"""Files for Arm's Ethos-U: compiled by Vela, with the settings of the boards' firmware."""
