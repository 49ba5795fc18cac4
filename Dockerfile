# Three images: `suite` puts the load on, `target` is the reference server, `proxy` stands in front
# of it. In each, a user without rights runs files that belong to root.

FROM nginx:1.28.3-alpine3.23 AS proxy
COPY conf/nginx.conf.template /etc/nginx/templates/nginx.conf.template
RUN chmod 644 /etc/nginx/templates/nginx.conf.template
# The image's entrypoint fills the template in; / may be read-only, /tmp is not.
ENV NGINX_ENVSUBST_FILTER=^NGINX_ \
    NGINX_ENVSUBST_OUTPUT_DIR=/tmp \
    NGINX_DIR=/tmp \
    NGINX_LISTEN=8080 \
    NGINX_UPSTREAM=app:8000
USER nginx
CMD ["nginx", "-c", "/tmp/nginx.conf", "-g", "daemon off;"]


FROM python:3.11.15-slim-bookworm AS python
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore


# The sources as everybody may read them, whatever the umask of the checkout was.
FROM python AS sources
COPY . /sources
RUN chmod -R u=rwX,go=rX /sources


FROM python AS target
RUN useradd --uid 10002 --no-create-home --shell /usr/sbin/nologin target
WORKDIR /target
# As in the repository: these requirements name ../constraints.txt.
COPY constraints.txt /
COPY target/requirements.txt ./
RUN pip install -r requirements.txt
COPY --from=sources /sources/target ./
USER target
# An idle connection is kept longer than nginx keeps it: the one that sends must be the one that
# closes, or a request meets a closed connection now and then.
CMD ["gunicorn", "noticeboard.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", \
     "--keep-alive", "75", "--worker-tmp-dir", "/dev/shm"]


# On ARM, hdrhistogram has to be compiled; the compiler stays in this stage.
FROM python AS suite-packages
RUN [ "$(uname -m)" = x86_64 ] || \
    { apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev; }
COPY constraints.txt requirements.txt /
RUN python -m venv --without-pip /venv && pip --python /venv install -r /requirements.txt


FROM python AS suite
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin suite
COPY --from=suite-packages /venv /venv
ENV PATH=/venv/bin:$PATH
WORKDIR /suite
COPY --from=sources /sources/locustfile.py ./
COPY --from=sources /sources/conf conf/
COPY --from=sources /sources/data data/
COPY --from=sources /sources/harness harness/
COPY --from=sources /sources/notice_api notice_api/
COPY --from=sources /sources/tasks tasks/
# A new volume takes its owner over from this folder.
RUN install --directory --owner suite --group suite results
USER suite
# Where matplotlib keeps its list of fonts: / may be read-only, and this user has no home.
ENV MPLCONFIGDIR=/tmp/matplotlib
ENTRYPOINT ["locust"]
