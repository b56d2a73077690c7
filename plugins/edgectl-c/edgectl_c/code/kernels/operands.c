/* Two operands of one size, or one of them repeated along a dimension in which it has a single element. */
typedef struct operand {
  const int8_t *row;
  int32_t pixel, channel;
} operand;

static operand operand_of(const tensor *t, int32_t y) {
  const operand found = {row_of(t, t->h == 1 ? 0 : y), t->w == 1 ? 0 : t->c, t->c == 1 ? 0 : 1};
  return found;
}
