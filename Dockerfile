# labelbench on a CPU, or on a GPU with the NVIDIA container toolkit (docker run --gpus all):
#   docker build -t labelbench . && docker run --rm -v "$PWD/results:/labelbench/results" labelbench run --suite quick
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN pip install --no-cache-dir "/src[text,tts]" && rm -rf /src
ENV LABELBENCH_CACHE=/labelbench/cache LABELBENCH_DATA=/labelbench/data
WORKDIR /labelbench
ENTRYPOINT ["labelbench"]
CMD ["--help"]
