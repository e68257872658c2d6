/** The line that mounts a share, for each system; to be copied as it is. */
import { shellQuoted } from '../config/command-name.js';

export interface MountLine {
  readonly system: string;
  readonly line: string;
  /** What must be so before the line works. */
  readonly note?: string;
}

/** Linux 6.15 and later reads directories in larger pieces than davfs2's default buffer (16 KiB) can give. */
export const davfsConfigText = 'buf_size 256\n';

/** `davfsConfig` is a file with davfsConfigText. */
export function mountLines(url: string, user: string, password: string, davfsConfig: string): MountLine[] {
  const { protocol, host, pathname } = new URL(url);
  const secure = protocol === 'https:';
  const login = encodeURIComponent(user);
  const windowsNote =
    'once before, as administrator: ' +
    'reg add HKLM\\SYSTEM\\CurrentControlSet\\Services\\WebClient\\Parameters /v BasicAuthLevel ' +
    '/t REG_DWORD /d 2 /f & net stop webclient & net start webclient';
  return [
    {
      system: 'Windows',
      line: `net use * ${url} ${windowsQuoted(password)} /user:${windowsQuoted(user)} /persistent:no`,
      // Windows sends Basic credentials over TLS only, unless told otherwise.
      ...(!secure && { note: windowsNote }),
    },
    {
      system: 'macOS',
      line: `osascript -e ${shellQuoted(appleScript(url, user, password))}`,
    },
    {
      system: 'GNOME',
      line: `gio mount ${shellQuoted(`${secure ? 'davs' : 'dav'}://${login}@${host}${pathname}`)}`,
      note: 'asks for the password; or in Files: Other Locations, Connect to Server',
    },
    {
      system: 'KDE',
      line: `dolphin ${shellQuoted(`${secure ? 'webdavs' : 'webdav'}://${login}@${host}${pathname}`)}`,
      note: 'asks for the password',
    },
    {
      system: 'davfs2',
      line:
        `sudo mkdir -p /mnt/coda && echo ${shellQuoted(password)} | sudo mount -t davfs -o uid=$(id -u),` +
        `gid=$(id -g),username=${shellQuoted(user)},conf=${shellQuoted(davfsConfig)} ${url} /mnt/coda`,
    },
    {
      system: 'rclone',
      line:
        `mkdir -p ~/coda && rclone mount :webdav: ~/coda --webdav-url ${url} --webdav-vendor owncloud ` +
        `--webdav-user ${shellQuoted(user)} --webdav-pass "$(rclone obscure ${shellQuoted(password)})" ` +
        '--vfs-cache-mode writes --daemon',
    },
  ];
}

/** The lines as they are printed. */
export function mountText(lines: readonly MountLine[]): string {
  return lines
    .map(({ system, line, note }) => `  ${system}${note === undefined ? '' : ` (${note})`}\n    ${line}`)
    .join('\n');
}

function windowsQuoted(text: string): string {
  return /^[\w@+=:,.\\-]+$/.test(text) ? text : `"${text}"`;
}

function appleScript(url: string, user: string, password: string): string {
  const login = `as user name ${appleQuoted(user)} with password ${appleQuoted(password)}`;
  return `mount volume ${appleQuoted(url)} ${login}`;
}

function appleQuoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
