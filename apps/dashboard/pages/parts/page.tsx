import { useEffect } from 'react';

export interface PageProps {
  title: string;
  /** The sentence that answers the page's question. */
  answer?: React.ReactNode;
  actions?: React.ReactNode;
  children: React.ReactNode;
}

export function Page({ title, answer, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Flotilla`;
  }, [title]);
  return (
    <div className="page">
      <div className="page-head">
        <div>
          <h1>{title}</h1>
          {answer === undefined ? null : <p className="answer">{answer}</p>}
        </div>
        {actions === undefined ? null : <div className="row wrap">{actions}</div>}
      </div>
      {children}
    </div>
  );
}
