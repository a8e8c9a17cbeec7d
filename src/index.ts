/**
 * bpfreplay as a library: load an object, ask the verifier, make an instance, run packets, replay captures.
 *
 *     const object = loadObject(await readFile('filter.o'));
 *     const instance = new Instance(object, { program: 'xdp_filter', seed: 1 });
 *     const replay = new Replay(instance);
 *     for await (const chunk of createReadStream('traffic.pcap')) replay.push(chunk);
 *     console.log(replay.end().verdicts);
 */
export { helperName } from './abi/helper-names.ts';
export { mapTypeName } from './abi/map-types.ts';
export type { BusyPlace, PathEvent, PathLine, Place, Report, ReportedRegister } from './abi/report.ts';
export { RunError, type RunErrorCode } from './abi/runner.ts';
export type { Refusal, Verdict } from './abi/verdict.ts';
export { CaptureError, InvariantError, LoadError, OptionError } from './base/errors.ts';
export { fnv1a64 } from './base/fnv.ts';
export { CompressionError, compressionOfFile, plainBytes } from './capture/compression.ts';
export { catalogue } from './engine/catalogue.ts';
export type { EmittedPacket, ProgramEvent } from './engine/host.ts';
export {
  INSTANCE_DEFAULTS,
  Instance,
  type InstanceOptions,
  type PacketInput,
  type PacketResult,
} from './engine/instance.ts';
export { joinMaps } from './engine/join-maps.ts';
export type { EntryPage, MapEdit, ShownEntry, WantedEdit } from './engine/map-desk.ts';
export type { DumpedEntry, MapDump } from './engine/map-dump.ts';
export type { MapInit, MapInitEntry } from './engine/map-init.ts';
export { namesOf } from './engine/names.ts';
export type { NetworkDescription } from './engine/network/network.ts';
export {
  FATES,
  HOOKS,
  type Hook,
  Pipeline,
  type PipelineOptions,
  type Stage,
  type StageTally,
} from './engine/pipeline.ts';
export { selectProgram, verifyProgram } from './engine/programs.ts';
export { type AssemblyObjectOptions, assembleObject, readObject } from './engine/read-object.ts';
export { ProgramRefused } from './engine/refused.ts';
export type { ExplainedEvent, ExplainedLine, ExplainedRun } from './explain/explanation.ts';
export { assemble } from './isa/assemble.ts';
export { decode, encode } from './isa/codec.ts';
export { disassemble } from './isa/disassemble.ts';
export type { Instruction } from './isa/instruction.ts';
export { type Btf, parseBtf } from './object/btf/btf.ts';
export { formatType } from './object/btf/format.ts';
export { membersOf, sizeOf } from './object/btf/types.ts';
export type { JsonValue } from './object/btf/value.ts';
export { variablesOf } from './object/btf/variables.ts';
export { type LoadOptions, loadObject } from './object/object.ts';
export type { FunctionSpec, LineInfo, MapSpec, ObjectSpec, ProgramSpec, RelocationRecord } from './object/spec.ts';
export { decodeProgram, functionAt, lineAt, type Program } from './program/program.ts';
export type { TimedEdit } from './replay/control.ts';
export { Explained, type Explanation, explanationText } from './replay/explain.ts';
export { type Progress, runReplay } from './replay/job.ts';
export type { StageFile, SubjectFiles } from './replay/load.ts';
export { type ObjectFile, readObjectFile } from './replay/object-file.ts';
export { annotatedCapture } from './replay/pick/annotate.ts';
export { filterTests, type PacketFilter } from './replay/pick/filter.ts';
export { type PickSource, pickPackets } from './replay/pick/pick.ts';
export { pushFrom } from './replay/push-from.ts';
export { openRecording, type Recording, type RecordingFiles } from './replay/recording.ts';
export { packetRecord } from './replay/records.ts';
export { Replay, type ReplaySinks } from './replay/replay.ts';
export { Series, type SeriesData } from './replay/series.ts';
export { keepMapsOf, startExplanation, startReplay } from './replay/start.ts';
export { type RunningStream, type StreamListener, startStream } from './replay/stream.ts';
export type {
  CaptureEnd,
  StreamRequest,
  StreamState,
  StreamTally,
  Window,
  WindowOptions,
} from './replay/stream-protocol.ts';
export type { Count, ErrorCount, PacketRecord, Tally } from './replay/tally.ts';
export { growth, Windows } from './replay/windows.ts';
export type {
  Answered,
  DoneEdit,
  MapHolder,
  MapKeeper,
  MapQuestion,
  ReplayFailure,
  ReplayRequest,
  ReplayResult,
  RunningReplay,
} from './replay/worker-protocol.ts';
export { replayShared } from './replay/workers/run.ts';
export { oneWorker, type Sharing, sharingOf } from './replay/workers/sharing.ts';
export { type FactsSummary, summariseFacts } from './verifier/facts/summary.ts';
export { stateLog } from './verifier/report/log.ts';
export { reportOf } from './verifier/report/report.ts';
export { reportText } from './verifier/report/text.ts';
