static void depthwise(const op *o, int32_t y) { depthwise_row(o, y, 0); }
