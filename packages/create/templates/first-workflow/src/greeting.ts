export function greetingFor(name: string): string {
  return `Welcome aboard, ${name}!`;
}
