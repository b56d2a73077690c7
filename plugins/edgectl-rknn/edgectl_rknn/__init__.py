"""Files for Rockchip NPUs."""
