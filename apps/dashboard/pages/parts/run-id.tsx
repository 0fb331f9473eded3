import { Link } from '@tanstack/react-router';
import { CopyButton } from './copy.tsx';

/** A run's id as a link to it, which can be copied. */
export function RunId({ runId, step }: { runId: string; step?: string }) {
  return (
    <span className="id">
      <Link to="/runs/$runId" params={{ runId }} search={step === undefined ? {} : { step }} className="mono truncate">
        {runId}
      </Link>
      <CopyButton text={runId} what="run id" />
    </span>
  );
}
