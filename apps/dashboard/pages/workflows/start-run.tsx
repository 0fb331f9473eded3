import type { RunStarted, WorkflowDefinition, WorkflowView } from '@flotilla/contracts';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { changeApi } from '../api/call-api.ts';
import { problemText } from '../parts/confirm.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { fieldsOf, type InputField, inputFromFields } from './input-fields.ts';
import { InputForm } from './input-form.tsx';

export interface StartRunProps {
  workflow: WorkflowView;
  isLatest: boolean;
  onClose: () => void;
}

/** A form made from the input schema; what it cannot say is written as JSON. */
export function StartRun({ workflow, isLatest, onClose }: StartRunProps) {
  const schema = (workflow.definition as WorkflowDefinition | undefined)?.input;
  const fields = fieldsOf(schema);
  const [isJson, setJson] = useState(fields === undefined);
  const [values, setValues] = useState<Record<string, string>>(() => initialValues(fields ?? []));
  const [text, setText] = useState('{}');
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const navigate = useNavigate();
  const toJson = () => {
    const made = inputFromFields(fields ?? [], values);
    if (made.problem === undefined) setText(JSON.stringify(made.input, undefined, 2));
    setJson(true);
  };
  const start = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setProblem(undefined);
    const made = isJson ? parseInput(text) : inputFromFields(fields ?? [], values);
    if (made.problem !== undefined) return setProblem(made.problem);
    setBusy(true);
    try {
      const { runId } = await changeApi<RunStarted>(
        'POST',
        '/v1/runs',
        startBody(workflow, isLatest, made.input, form),
      );
      await navigate({ to: '/runs/$runId', params: { runId } });
    } catch (error) {
      setProblem(problemText(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Start a run of ${workflow.name}`} onClose={onClose} wide>
      <form onSubmit={start}>
        {isJson ? (
          <label className="field">
            <span className="label">Input (JSON)</span>
            <textarea rows={10} value={text} spellCheck={false} onChange={(event) => setText(event.target.value)} />
          </label>
        ) : (
          <InputForm fields={fields ?? []} values={values} onChange={setValues} />
        )}
        {fields === undefined ? null : (
          <div>
            <button type="button" className="button small" onClick={() => (isJson ? setJson(false) : toJson())}>
              {isJson ? 'As a form' : 'As JSON'}
            </button>
          </div>
        )}
        <div className="filters">
          <label className="field grow">
            <span className="label">Idempotency key (optional)</span>
            <input type="text" name="idempotencyKey" maxLength={256} />
          </label>
          <label className="field grow">
            <span className="label">Tags, separated by spaces (optional)</span>
            <input type="text" name="tags" />
          </label>
        </div>
        {problem === undefined ? null : (
          <p className="problem-text" role="alert" style={{ whiteSpace: 'pre-line' }}>
            {problem}
          </p>
        )}
        <div className="actions">
          <button type="button" className="button" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" className="button primary" disabled={isBusy}>
            {isBusy ? 'Starting…' : 'Start'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function initialValues(fields: readonly InputField[]): Record<string, string> {
  return Object.fromEntries(fields.map(({ name, initial }) => [name, initial]));
}

function parseInput(text: string): { input?: unknown; problem?: string } {
  try {
    return { input: JSON.parse(text) };
  } catch (error) {
    return { problem: `The input is not JSON: ${(error as Error).message}` };
  }
}

/** By name the version that was registered last is started; another one is sent as a definition of its own. */
function startBody({ name, definition }: WorkflowView, isLatest: boolean, input: unknown, form: FormData): object {
  const key = String(form.get('idempotencyKey') ?? '').trim();
  const tags = String(form.get('tags') ?? '')
    .split(/\s+/)
    .filter(Boolean);
  return {
    ...(isLatest ? { workflow: name } : { definition }),
    input,
    ...(key === '' ? {} : { idempotencyKey: key }),
    ...(tags.length === 0 ? {} : { tags }),
  };
}
