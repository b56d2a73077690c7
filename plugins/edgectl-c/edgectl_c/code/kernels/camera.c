static model_read_row read_row;
static void *read_context;

/* The camera hands a row of the image. */
static void camera(const op *o, int32_t y) { read_row(read_context, y, row_of(o->out, y)); }
