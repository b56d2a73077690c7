"""Which images are used for what: hold-out, stratified splits, calibration."""
