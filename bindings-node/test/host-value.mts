// JSON text as the value that a careful JS host holds: integers that a double would change are BigInts.

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const MARK = "\0bigint:";

/** The value, and whether every number of the text is in it exactly. The text is JSON. */
export function hostValue(text: string): { value: unknown; exact: boolean } {
  let exact = true;
  const marked = text.replace(TOKENS, (token) => {
    if (token.startsWith('"')) return token;
    const number = Number(token);
    if (/^-?\d+$/.test(token) && !Number.isSafeInteger(number)) return JSON.stringify(MARK + token);
    exact &&= decimal(token) === decimal(String(number));
    return token;
  });
  const value: unknown = JSON.parse(marked, (_key, member: unknown) =>
    typeof member === "string" && member.startsWith(MARK) ? BigInt(member.slice(MARK.length)) : member,
  );
  return { value, exact };
}

/** A literal's sign, significant digits and exponent. */
function decimal(literal: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(literal) ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return "0";
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
