"""Image classification: ResNet for processors and NPUs, MobileNetV2 for microcontrollers."""
