# edgectl with every plugin, and a compiler for exported C.
#
#   docker build -t edgectl .
#   docker run --rm -v "$PWD:/project" edgectl train fomo --data my_images
#
# TORCH_INDEX names the index torch and torchvision come from. pytorch.org names one for the CPU, whose wheels
# are a tenth of the size, and one for each CUDA version. Empty: the default index's, which bring CUDA.
FROM python:3.11-slim AS build
COPY . /source
WORKDIR /source
RUN python -m pip install --no-cache-dir "setuptools>=77" wheel \
    && python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . plugins/*

FROM python:3.11-slim
ARG TORCH_INDEX=""
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN python -m pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
    "torch>=2.6,<2.14" "torchvision>=0.21,<0.29"
COPY --from=build /dist /dist
RUN python -m pip install --no-cache-dir --find-links /dist "edgectl[all]"
WORKDIR /project
ENTRYPOINT ["edgectl"]
CMD ["--help"]
