// Places to send from the location sheet: WGS-84, with a few that a good product must not stumble over.
export const PLACES = [
  { zh: "广州天河", en: "Tianhe, Guangzhou", latitude: 23.1291, longitude: 113.3612 },
  { zh: "东莞莞城（不设县区）", en: "Dongguan (a city without counties)", latitude: 23.0436, longitude: 113.7476 },
  { zh: "清远连南瑶族自治县", en: "Liannan, Qingyuan", latitude: 24.7178, longitude: 112.2871 },
  { zh: "北京东城", en: "Dongcheng, Beijing", latitude: 39.9289, longitude: 116.4164 },
  { zh: "成都武侯", en: "Wuhou, Chengdu", latitude: 30.6418, longitude: 104.0434 },
  { zh: "乌鲁木齐天山", en: "Tianshan, Ürümqi", latitude: 43.7937, longitude: 87.6317 },
  { zh: "香港湾仔", en: "Wan Chai, Hong Kong", latitude: 22.2775, longitude: 114.1731 },
  { zh: "南海海面", en: "Open sea, South China Sea", latitude: 20.5, longitude: 114.0 },
];
