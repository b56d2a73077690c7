int8_t *model_input(void) { return arena.bytes + INPUT_AT; }

void model_run(void) { run(); }

void model_run_rows(model_read_row read, void *context) {
  for (int32_t y = 0; y < MODEL_INPUT_HEIGHT; y++) {
    read(context, y, model_input() + y * INPUT_ROW);
  }
  run();
}
