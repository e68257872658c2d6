/**
 * Names to the one form in which this gateway writes an href: absolute path, upper-case escapes (RFC 4918
 * 8.3).
 */

/**
 * `prefix` is the share's mount point, '' or '/share'. Collections end in a slash; so does the root, always.
 */
export function hrefOf(prefix: string, path: readonly string[], isCollection: boolean): string {
  let href = prefix;
  for (const name of path) href += `/${encodeName(name)}`;
  return isCollection || path.length === 0 ? `${href}/` : href;
}

/** One name for a path: everything but unreserved characters of RFC 3986 and `!*'()` is escaped. */
export function encodeName(name: string): string {
  return /^[A-Za-z0-9._~-]*$/.test(name) ? name : encodeURIComponent(name);
}
