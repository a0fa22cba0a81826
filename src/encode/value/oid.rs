//! OIDs of types of the server, as `pg_type.dat` has them. Those of extensions and users begin at [`FIRST_NORMAL_OID`].

pub(in crate::encode) const BOOL: u32 = 16;
pub(in crate::encode) const BYTEA: u32 = 17;
pub(in crate::encode) const CHAR: u32 = 18;
pub(in crate::encode) const NAME: u32 = 19;
pub(in crate::encode) const INT8: u32 = 20;
pub(in crate::encode) const INT2: u32 = 21;
pub(in crate::encode) const INT2VECTOR: u32 = 22;
pub(in crate::encode) const INT4: u32 = 23;
pub(in crate::encode) const TEXT: u32 = 25;
pub(in crate::encode) const OID: u32 = 26;
pub(in crate::encode) const OIDVECTOR: u32 = 30;
pub(in crate::encode) const JSON: u32 = 114;
pub(in crate::encode) const XML: u32 = 142;
pub(in crate::encode) const POINT: u32 = 600;
pub(in crate::encode) const LSEG: u32 = 601;
pub(in crate::encode) const PATH: u32 = 602;
pub(in crate::encode) const BOX: u32 = 603;
pub(in crate::encode) const POLYGON: u32 = 604;
pub(in crate::encode) const LINE: u32 = 628;
pub(in crate::encode) const CIDR: u32 = 650;
pub(in crate::encode) const FLOAT4: u32 = 700;
pub(in crate::encode) const FLOAT8: u32 = 701;
pub(in crate::encode) const CIRCLE: u32 = 718;
pub(in crate::encode) const MACADDR8: u32 = 774;
pub(in crate::encode) const MONEY: u32 = 790;
pub(in crate::encode) const MACADDR: u32 = 829;
pub(in crate::encode) const INET: u32 = 869;
pub(in crate::encode) const BPCHAR: u32 = 1042;
pub(in crate::encode) const VARCHAR: u32 = 1043;
pub(in crate::encode) const DATE: u32 = 1082;
pub(in crate::encode) const TIME: u32 = 1083;
pub(in crate::encode) const TIMESTAMP: u32 = 1114;
pub(in crate::encode) const TIMESTAMPTZ: u32 = 1184;
pub(in crate::encode) const INTERVAL: u32 = 1186;
pub(in crate::encode) const TIMETZ: u32 = 1266;
pub(in crate::encode) const BIT: u32 = 1560;
pub(in crate::encode) const VARBIT: u32 = 1562;
pub(in crate::encode) const NUMERIC: u32 = 1700;
pub(in crate::encode) const REFCURSOR: u32 = 1790;
pub(in crate::encode) const UUID: u32 = 2950;
pub(in crate::encode) const TSVECTOR: u32 = 3614;
pub(in crate::encode) const JSONB: u32 = 3802;

/// `FirstNormalObjectId`: types below are the server's own.
pub(in crate::encode) const FIRST_NORMAL_OID: u32 = 16384;
