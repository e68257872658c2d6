/**
 * The limit of what one Node process can do: `node bare-node.js FOLDER PORT USER:PASSWORD` serves FOLDER with
 * node:http and nothing else. No locks, no conditions, no properties but length, date and ETag, no flush.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';

const [folder = '', port = '', login = ''] = process.argv.slice(2);
const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
let uploads = 0;

async function get(path: string, response: ServerResponse): Promise<void> {
  const file = await open(path);
  const { size, mtimeMs } = await file.stat();
  response.writeHead(200, { 'content-length': size, etag: `"${size}-${mtimeMs}"` });
  await pipeline(file.createReadStream(), response);
}

async function put(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  uploads += 1;
  const spool = join(folder, `.upload-${uploads}`);
  await pipeline(request, createWriteStream(spool));
  await rename(spool, path);
  response.writeHead(201).end();
}

async function propfind(path: string, url: string, response: ServerResponse): Promise<void> {
  const names = await readdir(path);
  response.writeHead(207, { 'content-type': 'application/xml; charset=utf-8' });
  response.write('<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:">');
  for (let start = 0; start < names.length; start += 64) {
    const answers = names.slice(start, start + 64).map(async (name) => {
      const { size, mtime, mtimeMs } = await stat(join(path, name));
      return (
        `<D:response><D:href>${url}${encodeURIComponent(name)}</D:href>` +
        '<D:propstat><D:prop><D:resourcetype/>' +
        `<D:getcontentlength>${size}</D:getcontentlength><D:getetag>"${size}-${mtimeMs}"</D:getetag>` +
        `<D:getlastmodified>${mtime.toUTCString()}</D:getlastmodified></D:prop>` +
        '<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>'
      );
    });
    response.write((await Promise.all(answers)).join(''));
  }
  response.end('</D:multistatus>');
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.headers.authorization !== authorization) return void response.writeHead(401).end();
  const url = request.url ?? '/';
  const path = join(folder, normalize(decodeURIComponent(url)));
  switch (request.method) {
    case 'GET':
      return get(path, response);
    case 'PUT':
      return put(path, request, response);
    case 'PROPFIND':
      return propfind(path, url, response);
    case 'MKCOL':
      await mkdir(path);
      return void response.writeHead(201).end();
    case 'DELETE':
      await rm(path, { recursive: true });
      return void response.writeHead(204).end();
    default:
      return void response.writeHead(405).end();
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => {
    if (response.headersSent) response.destroy();
    else response.writeHead(404).end();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(port), '127.0.0.1');
