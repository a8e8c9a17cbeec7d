import { describeKind, describeScalar } from '../report/words.ts';
import { signedMin, unsignedMax } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import { type Access, bytesOf } from './region.ts';

/** BPF_MAX_VAR_OFF of Linux. */
const FARTHEST = 1 << 29;

/** Whether an access through a pointer with a variable part stays within `limit` bytes of where it was made. */
export function withinBounds(v: Verification, access: Access, limit: number, emptyAllowed = false): boolean {
  const { base, index, size } = access;
  const offset = access.offset + base.offset;
  const { value } = base;
  const what = describeKind(base);
  const least = signedMin(value);
  if (least < 0 && (least < -(2 ** 31) || offset + least < 0 || offset + least !== ((offset + least) | 0))) {
    return v.refuse(
      'out-of-bounds',
      `r${index} (${what}) may point ${-(offset + least)} bytes before its start: its variable part is ${describeScalar(value)}`,
      'Use an unsigned index, or check that it is not negative',
    );
  }
  if (!fits(offset + least, size, limit, emptyAllowed)) return outside(v, access, offset + least, limit);
  if (value.isConst) return true;
  const most = unsignedMax(value);
  if (most >= FARTHEST) {
    return v.refuse(
      'unbounded-access',
      `r${index} (${what}) has a variable part without an upper bound`,
      `Compare the index with a constant, or mask it, before it is added to the pointer`,
    );
  }
  return fits(offset + most, size, limit, emptyAllowed) || outside(v, access, offset + most, limit);
}

function fits(offset: number, size: number, limit: number, emptyAllowed: boolean): boolean {
  return offset >= 0 && (size > 0 || (size === 0 && emptyAllowed)) && offset + size <= limit;
}

function outside(v: Verification, { base, index, size }: Access, offset: number, limit: number): boolean {
  if (size <= 0)
    return v.refuse('out-of-bounds', `an access of ${size} bytes through r${index} (${describeKind(base)})`);
  const variable = base.value.isConst ? '' : `; the variable part is ${describeScalar(base.value)}`;
  return v.refuse(
    'out-of-bounds',
    `${bytesOf(offset, size)} through r${index} (${describeKind(base)}), where there are ${limit}${variable}`,
    base.value.isConst ? null : 'Check the index against the size before the access',
  );
}
