/** EtherTypes, as linux/if_ether.h names them. */
export const ETH_P_IP = 0x0800;
export const ETH_P_IPV6 = 0x86dd;
export const ETH_P_8021Q = 0x8100;
export const ETH_P_8021AD = 0x88a8;
/** Below are lengths of 802.3 frames. */
const ETH_P_802_3_MIN = 0x0600;
const ETH_P_802_3 = 0x0001;
const ETH_P_802_2 = 0x0004;
/** Novell's frames without an LLC header begin so. */
const RAW_IPX = 0xffff;

export const ETHERNET_HEADER = 14;

/** The protocol of the type or length field at `at`, as Linux tells it; `end` is where the frame ends. */
export function protocolAt(view: DataView, at: number, end: number): number {
  const type = view.getUint16(at);
  if (type >= ETH_P_802_3_MIN) return type;
  return at + 4 <= end && view.getUint16(at + 2) === RAW_IPX ? ETH_P_802_3 : ETH_P_802_2;
}
