# labelbench on a CPU, or on a GPU with the NVIDIA container toolkit (docker run --gpus all):
#   docker build -t labelbench . && docker run --rm -v "$PWD/results:/work/results" labelbench run --suite quick
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN pip install --no-cache-dir "/src[text,tts]" && rm -rf /src
ENV LABELBENCH_CACHE=/work/cache LABELBENCH_DATA=/work/data
WORKDIR /work
ENTRYPOINT ["labelbench"]
CMD ["--help"]
