import type { Refusal } from '../../abi/verdict.ts';
import type { Program } from '../../program/program.ts';
import type { RefusalCode } from '../refuse.ts';
import { EXPLANATIONS } from './codes.ts';
import type { Loss } from './slice.ts';

/** What a program returns that does not want to decide, by type. */
const LET_PASS: Readonly<Record<string, string>> = {
  xdp: 'XDP_PASS',
  sched_cls: 'TC_ACT_OK',
  sched_act: 'TC_ACT_OK',
  cgroup_skb: '1',
  lwt_in: 'BPF_OK',
  lwt_out: 'BPF_OK',
  lwt_xmit: 'BPF_OK',
  lwt_seg6local: 'BPF_OK',
};

const letPass = (program: Program): string => LET_PASS[program.type] ?? '0';

/** The refusal's own sentence, or the true cause where a call took the value away. */
export function reasonFor({ code, message }: Refusal, loss: Loss | null): string {
  if (loss?.kind === 'call' && code === 'uninitialised-register') {
    return `${loss.register} is read, but the call of ${loss.callee} at instruction ${loss.pc} took its value away`;
  }
  if (loss?.kind === 'packet-moved') {
    return `${message}: it was a pointer into the packet until ${loss.callee}, at instruction ${loss.pc}, may have moved the packet`;
  }
  return message;
}

export function helpFor(program: Program, refusal: Refusal, loss: Loss | null): string | null {
  if (loss?.kind === 'packet-moved') {
    return `After ${loss.callee}, read data and data_end from the context again, and compare again.`;
  }
  if (loss?.kind === 'call' && refusal.code === 'uninitialised-register') {
    return 'Keep what you need after a call in r6 to r9 or on the stack.';
  }
  const own = refusal.help ?? EXPLANATIONS[refusal.code as RefusalCode].help;
  const said = own.replace(/return …/, `return ${letPass(program)};`);
  return /[.;]$/.test(said) ? said : `${said}.`;
}
