/**
 * The linter's rules for the pure folders, core/ and sim/: what the compiler cannot refuse and what oxlint has no
 * rule for. Which rule holds in which folder stands in .oxlintrc.json.
 *
 * Each rule judges syntax alone, never types. That is why `Math` is judged by the shape of its use: anything but
 * `Math.name` with a harmless name is refused, so that no alias can carry it away.
 */

/**
 * Exact on every engine by the language's definition. All others may differ in the last bit from version to version.
 */
const EXACT_MATH = new Set(["abs", "ceil", "clz32", "floor", "fround", "imul", "max", "min", "round", "sign", "trunc"]);

/** Their answers depend on the machine's language and time zone. */
const LOCALE_METHODS = new Set([
  "localeCompare", "toLocaleString", "toLocaleLowerCase", "toLocaleUpperCase",
]);

/** A name in the place of a value or type, not the name of a property or key that happens to be the same. */
function isReference(node) {
  const parent = node.parent;
  if (parent.type === "MemberExpression") return parent.object === node || parent.computed;
  if (parent.type === "Property" || parent.type === "PropertyDefinition" || parent.type === "MethodDefinition") {
    return parent.value === node || parent.computed;
  }
  return parent.type !== "TSPropertySignature" && parent.type !== "TSMethodSignature";
}

/** The property's name where the syntax shows it; null: computed. */
function propertyName(member) {
  if (!member.computed) return member.property.name;
  return typeof member.property.value === "string" ? member.property.value : null;
}

const noAsync = {
  create(context) {
    const refuse = (node, what) => context.report({ node, message: `${what}: core/ and sim/ never wait.` });
    const refuseAsyncFunction = (node) => {
      if (node.async) refuse(node, "An async function");
    };
    return {
      FunctionDeclaration: refuseAsyncFunction,
      FunctionExpression: refuseAsyncFunction,
      ArrowFunctionExpression: refuseAsyncFunction,
      AwaitExpression: (node) => refuse(node, "An await"),
      ImportExpression: (node) => refuse(node, "A dynamic import"),
      ForOfStatement(node) {
        if (node.await) refuse(node, "A for await");
      },
      Identifier(node) {
        if ((node.name === "Promise" || node.name === "PromiseLike") && isReference(node)) refuse(node, "A Promise");
      },
    };
  },
};

const noCatch = {
  create(context) {
    return {
      CatchClause(node) {
        context.report({ node, message: "A catch: in core/ it stands in core/sqlite/guard.ts alone." });
      },
    };
  },
};

const exactArithmetic = {
  create(context) {
    const refusePower = (node) => {
      if (node.operator === "**" || node.operator === "**=") {
        context.report({ node, message: "A power: its last bit differs between engines." });
      }
    };
    return {
      BinaryExpression: refusePower,
      AssignmentExpression: refusePower,
      Identifier(node) {
        if (node.name !== "Math" || !isReference(node)) return;
        const parent = node.parent;
        const isPlainUse = parent.type === "MemberExpression" && parent.object === node;
        const name = isPlainUse ? propertyName(parent) : null;
        if (!isPlainUse || name === null) {
          context.report({ node, message: "Math under another name: write Math.name." });
        } else if (!EXACT_MATH.has(name)) {
          context.report({ node, message: `Math.${name}: not the same on every engine, or a matter of chance.` });
        }
      },
    };
  },
};

const noLocale = {
  create(context) {
    return {
      MemberExpression(node) {
        const name = propertyName(node);
        if (!LOCALE_METHODS.has(name)) return;
        context.report({ node, message: `${name}: its answer depends on the machine's language and time zone.` });
      },
    };
  },
};

export default {
  meta: { name: "purity" },
  rules: { "no-async": noAsync, "no-catch": noCatch, "exact-arithmetic": exactArithmetic, "no-locale": noLocale },
};
