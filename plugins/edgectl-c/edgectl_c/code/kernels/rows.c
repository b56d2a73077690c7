void model_run_rows(model_read_row read, void *context) {
  read_row = read;
  read_context = context;
  run();
}
