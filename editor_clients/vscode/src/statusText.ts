/** What the status item says. */

import type { StatusResult } from './protocol';

export interface StatusFace {
  text: string;
  detail: string;
  level: 'fine' | 'warning' | 'error';
  /** What a click offers. */
  fix?: 'restart' | 'log';
}

export function describeStatus(status: StatusResult): StatusFace {
  const speed = status.tokensPerSecond ? `${Math.round(status.tokensPerSecond)} tokens/s` : '';
  const facts = [status.model, status.device, speed];
  const problems = [status.text, ...(status.problems ?? [])].filter(Boolean);
  const detail = [...facts, ...problems].filter(Boolean).join(' · ');
  if (status.state === 'failed') {
    return { text: 'Remask failed', detail, level: 'error', fix: 'restart' };
  }
  const text = status.state === 'starting' ? 'Remask is starting' : 'Remask';
  if (problems.length > 0) {
    return { text, detail, level: 'warning', fix: 'log' };
  }
  return { text, detail: detail || 'No model is loaded yet', level: 'fine' };
}
