/** One source file, read once into what the rules ask about. */
import { posix } from 'node:path';
import ts from 'typescript';

export interface Source {
  /** From the project's root, with forward slashes. */
  readonly path: string;
  readonly lines: readonly string[];
  readonly imports: readonly Import[];
  /**
   * Calls of names that the file does not declare, `Date.now` and its kind; `new Date()` stands for itself.
   */
  readonly calls: readonly { readonly name: string; readonly line: number }[];
  readonly functions: readonly { readonly name: string; readonly line: number; readonly length: number }[];
  /** Names that the file declares at its top level. */
  readonly declared: readonly { readonly name: string; readonly line: number }[];
  /** Syntax that the house does without. */
  readonly unwanted: readonly { readonly what: string; readonly line: number }[];
}

export interface Import {
  readonly specifier: string;
  /** The file of ours that is meant, from the root; undefined for packages and node's modules. */
  readonly file: string | undefined;
  readonly typeOnly: boolean;
  readonly line: number;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] extends readonly (infer Item)[] ? Item[] : T[Key] };

export function readSource(path: string, text: string): Source {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, false, ts.ScriptKind.TS);
  const source: Mutable<Source> = {
    path,
    lines: text.split('\n'),
    imports: [],
    calls: [],
    functions: [],
    declared: [],
    unwanted: [],
  };
  const own = new Set<string>();
  const lineAt = (position: number): number => file.getLineAndCharacterOfPosition(position).line + 1;
  const visit = (node: ts.Node): void => {
    noteOwn(own, node);
    note(source, node, lineAt(node.getStart(file)), lineAt(node.end));
    ts.forEachChild(node, visit);
  };
  for (const statement of file.statements) noteDeclared(source, statement, lineAt(statement.getStart(file)));
  ts.forEachChild(file, visit);
  return { ...source, calls: source.calls.filter(({ name }) => !own.has(name)) };
}

/** Names that the file gives to things of its own; what it imports from a package keeps its meaning. */
function noteOwn(own: Set<string>, node: ts.Node): void {
  const names = ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isFunctionDeclaration(node);
  if (names && node.name !== undefined && ts.isIdentifier(node.name)) own.add(node.name.text);
  if (!ts.isImportDeclaration(node) || !ts.isStringLiteral(node.moduleSpecifier)) return;
  const bindings = node.importClause?.namedBindings;
  if (!node.moduleSpecifier.text.startsWith('.') || bindings === undefined || !ts.isNamedImports(bindings))
    return;
  for (const { name } of bindings.elements) own.add(name.text);
}

function note(source: Mutable<Source>, node: ts.Node, line: number, lastLine: number): void {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) noteImport(source, node, line);
  else if (ts.isCallExpression(node)) noteCall(source, node, line);
  else if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    source.calls.push({ name: `${node.expression.text}.${node.name.text}`, line });
  } else if (
    ts.isNewExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === 'Date'
  ) {
    if ((node.arguments ?? []).length === 0) source.calls.push({ name: 'new Date()', line });
  } else if (node.kind === ts.SyntaxKind.AnyKeyword) source.unwanted.push({ what: 'any', line });
  else if (ts.isEnumDeclaration(node)) source.unwanted.push({ what: 'enum', line });
  else if (ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword) {
    source.unwanted.push({ what: 'export default', line });
  }
  if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
    source.functions.push({ name: functionName(node), line, length: lastLine - line + 1 });
  }
}

function noteCall(source: Mutable<Source>, node: ts.CallExpression, line: number): void {
  const [first] = node.arguments;
  if (ts.isIdentifier(node.expression)) source.calls.push({ name: node.expression.text, line });
  else if (
    node.expression.kind === ts.SyntaxKind.ImportKeyword &&
    first !== undefined &&
    ts.isStringLiteral(first)
  ) {
    addImport(source, first.text, false, line);
  }
}

type ImportOrExport = ts.ImportDeclaration | ts.ExportDeclaration;

function noteImport(source: Mutable<Source>, node: ImportOrExport, line: number): void {
  const specifier = node.moduleSpecifier;
  if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
  const typeOnly = ts.isImportDeclaration(node) ? node.importClause?.isTypeOnly === true : node.isTypeOnly;
  addImport(source, specifier.text, typeOnly, line);
}

function addImport(source: Mutable<Source>, specifier: string, typeOnly: boolean, line: number): void {
  const ours = specifier.startsWith('.');
  const file = ours ? posix.join(posix.dirname(source.path), specifier).replace(/\.js$/, '.ts') : undefined;
  source.imports.push({ specifier, file, typeOnly, line });
}

function noteDeclared(source: Mutable<Source>, statement: ts.Statement, line: number): void {
  const named =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement);
  if (named && statement.name !== undefined) source.declared.push({ name: statement.name.text, line });
}

function functionName(node: ts.SignatureDeclaration): string {
  return node.name !== undefined && ts.isIdentifier(node.name) ? node.name.text : '(a function)';
}
