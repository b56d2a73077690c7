static void conv(const op *o, int32_t y) { conv_row(o, y, 0); }
