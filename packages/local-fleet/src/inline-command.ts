import { connect } from 'node:net';

const ANSWER_MS = 1000;

/** What a server on loopback answers to one command, as it comes over the wire; empty when nothing does. */
export function askInline(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let text = '';
    const end = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(ANSWER_MS, end);
    socket.on('error', end);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if (isWhole(text)) end();
    });
    socket.write(`${command}\r\n`);
  });
}

/** Answers fit into one packet, but for a break after the length; a status or a number is one line. */
function isWhole(text: string): boolean {
  return text.endsWith('\r\n') && (/^[+:-]/.test(text) || text.split('\r\n').length > 2);
}
