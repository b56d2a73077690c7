#pragma once
#include "camera.h"
struct GC2145 : ImageSensor {};
