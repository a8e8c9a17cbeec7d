# syntax=docker/dockerfile:1
# What runs does without optional dependencies: those are Node itself, for several systems, and the image has its own.
# To build, the compiler is wanted, which is a platform's optional package too: so they are there first, and go.

FROM node:26-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY tools ./tools
COPY src ./src
RUN npm run build && npm prune --omit=optional --omit=dev

FROM node:26-slim
ENV NODE_ENV=production
WORKDIR /app
RUN install -d -o node -g node -m 0750 /data
COPY package.json ./
COPY bin ./bin
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER node
# Nothing else is written to: the root file system may be read-only.
VOLUME /data
EXPOSE 8787
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8787/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Beyond loopback the daemon demands a token: docker run -e BPFREPLAY_TOKEN=… (docs/api.md, "Access").
ENTRYPOINT ["node", "bin/bpfreplay.js"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8787", "--data", "/data"]
