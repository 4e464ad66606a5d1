/** Mark is the sign of the project: a screen with a prompt. */
export function Mark({ size }: { size: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" className="mark">
      <rect x="2" y="4" width="28" height="20" rx="4" className="mark-body" />
      <path d="M9 10l5 4-5 4M17 18.5h6" className="mark-prompt" />
      <path d="M11 28h10" className="mark-foot" />
    </svg>
  );
}
