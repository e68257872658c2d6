/** What is written is read by others: node's own reader, TLS, and openssl. */
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import t from 'tap';
import { run, skipWithout } from '../../conformance/program.js';
import { issueCertificate, makeAuthority, type Certified, type Subject } from './certificate.js';
import * as der from './der.js';

const day = 24 * 60 * 60 * 1000;
const validity = { from: Date.now() - day, to: Date.now() + 30 * day };
const authority = makeAuthority('office authority', validity);
const subject: Subject = {
  commonName: 's1',
  purposes: ['server', 'client'],
  uris: ['coda://5f0c27a1/server/s1'],
  hosts: ['files.example', '10.0.0.1', 'fe80::1:2', '::', '1:2:3:4:5:6:7:8'],
};
const leaf = issueCertificate(authority, subject, validity);

t.test('node reads what was written', async (t) => {
  const ca = new X509Certificate(authority.certificate);
  t.ok(ca.ca, 'an authority');
  t.ok(ca.verify(ca.publicKey), 'signed by itself');
  const read = new X509Certificate(leaf.certificate);
  t.notOk(read.ca, 'no authority');
  t.ok(read.verify(ca.publicKey) && read.checkIssued(ca), 'signed by the authority');
  t.equal(
    read.subjectAltName,
    'URI:coda://5f0c27a1/server/s1, DNS:files.example, IP Address:10.0.0.1, IP Address:FE80:0:0:0:0:0:1:2, ' +
      'IP Address:0:0:0:0:0:0:0:0, IP Address:1:2:3:4:5:6:7:8',
  );
  t.same(read.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'], 'both purposes');
  t.equal(Date.parse(read.validFrom), Math.floor(validity.from / 1000) * 1000);
  t.equal(Date.parse(read.validTo), Math.floor(validity.to / 1000) * 1000);
  const other = issueCertificate(authority, subject, validity);
  t.not(new X509Certificate(other.certificate).serialNumber, read.serialNumber, 'no serial number twice');
});

t.test('an authority signs with its own key only, and a leaf is none', async (t) => {
  const foreign = makeAuthority('office authority', validity);
  const mixed = { certificate: authority.certificate, key: foreign.key };
  t.throws(() => issueCertificate(mixed, subject, validity), /key is not that of the authority/);
  t.throws(() => issueCertificate(leaf, subject, validity), /key is not that of the authority/);
  t.notOk(new X509Certificate(leaf.certificate).verify(new X509Certificate(foreign.certificate).publicKey));
});

t.test('TLS 1.3 takes it, and refuses those of a namesake', async (t) => {
  t.equal(await shakeHands(leaf, leaf, authority), 'TLSv1.3 true');
  const namesake = makeAuthority('office authority', validity);
  const foreign = issueCertificate(namesake, subject, validity);
  t.match(await shakeHands(foreign, leaf, authority), /^refused/, 'a server of another authority');
  t.equal(await shakeHands(leaf, foreign, authority), 'TLSv1.3 false', 'a client of another authority');
  const old = issueCertificate(authority, subject, { from: validity.from - day, to: validity.from });
  t.match(await shakeHands(old, leaf, authority), /^refused CERT_HAS_EXPIRED/, 'an expired server');
  t.equal(await shakeHands(leaf, old, authority), 'TLSv1.3 false', 'an expired client');
  const dialler = issueCertificate(authority, { ...subject, purposes: ['client'] }, validity);
  t.match(await shakeHands(dialler, leaf, authority), /^refused/, 'who may only dial does not listen');
  t.equal(await shakeHands(leaf, dialler, authority), 'TLSv1.3 true', 'but dials');
});

t.test('openssl finds no fault in it', { skip: skipWithout('openssl') }, async (t) => {
  const folder = t.testdir({});
  const [ca, crt] = [join(folder, 'ca.crt'), join(folder, 's1.crt')];
  writeFileSync(ca, authority.certificate);
  writeFileSync(crt, leaf.certificate);
  for (const purpose of ['sslserver', 'sslclient']) {
    const { code, output } = await run('openssl', [
      ...['verify', '-x509_strict', '-check_ss_sig', '-purpose', purpose, '-CAfile', ca, crt],
    ]);
    t.equal(code, 0, output);
  }
  const host = await run('openssl', ['verify', '-verify_hostname', 'files.example', '-CAfile', ca, crt]);
  t.equal(host.code, 0, host.output);
});

t.test('bytes as X.690 has them', async (t) => {
  t.equal(der.integer(Buffer.from([0, 0, 0x80])).toString('hex'), '02020080', 'no sign');
  t.equal(der.integer(Buffer.from([0])).toString('hex'), '020100');
  t.equal(der.objectIdentifier('1.2.840.10045.4.3.2').toString('hex'), '06082a8648ce3d040302');
  t.equal(der.octetString(Buffer.alloc(127)).subarray(0, 2).toString('hex'), '047f');
  t.equal(der.octetString(Buffer.alloc(128)).subarray(0, 3).toString('hex'), '048180');
  t.equal(der.octetString(Buffer.alloc(256)).subarray(0, 4).toString('hex'), '04820100');
  t.equal(der.octetString(Buffer.alloc(65_536)).subarray(0, 5).toString('hex'), '0483010000');
  t.equal(der.time(Date.UTC(2049, 11, 31, 23, 59, 59)).toString('latin1'), '\x17\x0d491231235959Z');
  t.equal(der.time(Date.UTC(2050, 0, 1)).toString('latin1'), '\x18\x0f20500101000000Z');
});

/** What comes of a connection: the protocol and whether the server takes the client, or why the client refuses. */
async function shakeHands(server: Certified, client: Certified, ca: Certified): Promise<string> {
  const listener = createServer({
    ...{ cert: server.certificate, key: server.key, ca: ca.certificate },
    ...{ requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3' },
  });
  listener.on('secureConnection', (socket: TLSSocket) => socket.end(String(socket.authorized)));
  listener.on('tlsClientError', () => undefined);
  await new Promise<void>((listening) => listener.listen(0, '127.0.0.1', listening));
  const place = listener.address();
  const port = typeof place === 'object' && place !== null ? place.port : 0;
  try {
    return await new Promise((resolve) => {
      const socket = connect({
        ...{ port, host: '127.0.0.1', cert: client.certificate, key: client.key, ca: ca.certificate },
        ...{ minVersion: 'TLSv1.3', checkServerIdentity: () => undefined },
      });
      let said = '';
      socket.on('data', (bytes: Buffer) => (said += bytes.toString()));
      socket.on('end', () => resolve(`${socket.getProtocol() ?? ''} ${said}`));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(`refused ${error.code ?? ''}`));
    });
  } finally {
    await new Promise((closed) => listener.close(closed));
  }
}
