/** Fingerprint is a key's, as agents print it. Where it is too long for a line it breaks in its middle. */
export function Fingerprint({ of, className = "" }: { of: string; className?: string }) {
  const middle = of.length > 60 ? of.indexOf(":", of.length / 2) + 1 : of.length;
  return (
    <span className={`fingerprint ${className}`}>
      SHA256 {of.slice(0, middle)}
      <wbr />
      {of.slice(middle)}
    </span>
  );
}
