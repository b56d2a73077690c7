/* There is no decoder in C for this kind of network: read the bytes of model_output yourself. */
int32_t decode(const int8_t *(*bytes_of)(int32_t index), const decode_result **results) {
  (void)bytes_of;
  *results = found;
  return 0;
}
