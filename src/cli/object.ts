import type { Command } from 'commander';

export interface ObjectOptions {
  readonly btf?: string;
}

/** The arguments of every command that reads an object. */
export function withObject(command: Command): Command {
  return command
    .argument('<object>', 'ELF object, or classic BPF as tcpdump -ddd prints it')
    .option(
      '--btf <file>',
      "BTF of the kernel that CO-RE is resolved against, such as /sys/kernel/btf/vmlinux; the object's own unless told",
    );
}
