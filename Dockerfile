# The demo on the CPU of any machine:
#   docker build -t hyperdemo . && docker run --rm --init -p 7860:7860 hyperdemo
# --build-arg PIP_OPTIONS="…" takes PyTorch for the CPU from where pytorch.org has it: 2.7 GB less.
FROM python:3.12-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 demo

WORKDIR /home/demo/app
COPY requirements.txt constraints.txt ./
ARG PIP_OPTIONS=
RUN pip install --no-cache-dir $PIP_OPTIONS -r requirements.txt -c constraints.txt

COPY --chown=demo app.py LICENSE CREDITS.md ./
COPY --chown=demo hyperdemo hyperdemo
COPY --chown=demo examples examples
COPY --chown=demo weights weights

USER demo
# Whoever runs it decides by what name it is reached.
ENV HYPERDEMO_HOSTS=* GRADIO_SERVER_NAME=0.0.0.0 GRADIO_ANALYTICS_ENABLED=0 HF_HUB_OFFLINE=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/health')"
CMD ["python", "app.py"]
