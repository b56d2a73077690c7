static void conv_quick(const op *o, int32_t y) { conv_row(o, y, 1); }
