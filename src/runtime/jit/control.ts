export { CONTROL_BYTES, SLOTS } from '../../abi/control.ts';
