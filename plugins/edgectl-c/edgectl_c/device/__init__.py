"""The library on a Cortex-M in QEMU, on this machine, or on a board whose print-out is read."""
