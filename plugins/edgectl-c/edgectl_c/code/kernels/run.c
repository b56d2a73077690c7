/* Rows each step has done. */
static uint16_t done[MODEL_STEPS];

static void run(void) {
  memset(done, 0, sizeof done);
  for (size_t i = 0; i < sizeof schedule / sizeof schedule[0]; i += 2) {
    const op *o = &ops[schedule[i]];
    for (int32_t n = schedule[i + 1]; n > 0; n--) {
      const int32_t y = done[schedule[i]]++;
      o->run(o, y);
#if defined(MODEL_TRACE)
      model_trace(schedule[i], y, row_of(o->out, y), o->out->row_bytes);
#endif
    }
  }
}

void model_init(void) { memset(arena.bytes, 0, sizeof arena.bytes); }

const int8_t *model_output(int32_t index) {
  return index >= 0 && index < MODEL_OUTPUTS ? arena.bytes + output_at[index] : NULL;
}
